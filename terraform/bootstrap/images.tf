# ECR repositories: `wandle` (Airflow with Wandle), `wandle-api` (the read API) and `wandle-extract` (the
# Lambda function).

locals {
  repositories = toset(["wandle", "wandle-api", "wandle-extract"])
}

resource "aws_ecr_repository" "this" {
  for_each = local.repositories

  name                 = each.key
  image_tag_mutability = "IMMUTABLE"
  force_delete         = !var.protected

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.this.arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = local.repositories

  repository = aws_ecr_repository.this[each.key].name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Keep the newest 30 images"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 30 }
      action       = { type = "expire" }
    }]
  })
}

# The Lambda service pulls the image itself and needs access in the repository policy.
resource "aws_ecr_repository_policy" "extract" {
  repository = aws_ecr_repository.this["wandle-extract"].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "LambdasOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Condition = {
        ArnLike = { "aws:SourceArn" = "arn:${local.partition}:lambda:${var.region}:${local.account}:function:wandle-*" }
      }
    }]
  })
}
