# Extracts one source with a Lambda function on the schedule of its contract; the DAG then only loads.
# It runs the same extract job, with a role that can write only this source's landings.

locals {
  name = "wandle-${var.context.environment}-lambda-${var.source_name}"
  # EventBridge requires ? in one of the two day fields.
  schedule = "cron(${join(" ", slice(split(" ", var.cron), 0, 4))} ? *)"

  function_arn = "arn:${var.context.partition}:lambda:${var.context.region}:${var.context.account_id}:function:${local.name}"
}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_338:Set per environment: one year in prod
  name              = "/wandle/${var.context.environment}/lambda/${var.source_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.key_arn
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_117:It uses nothing in the VPC, where it would need ec2:CreateNetworkInterface on all resources
  # checkov:skip=CKV_AWS_272:Code signing supports only zip packages; the image is pinned by digest
  function_name = local.name
  description   = "Fetches ${var.source_name} and writes landings"
  role          = aws_iam_role.this.arn
  package_type  = "Image"
  image_uri     = var.image
  architectures = [var.architecture]
  memory_size   = var.memory_mb
  timeout       = 900
  # One at a time, because the API's rate limit is enforced within one process.
  reserved_concurrent_executions = 1
  kms_key_arn                    = var.key_arn

  environment {
    variables = var.settings
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  dead_letter_config {
    target_arn = var.alerts_topic_arn
  }

  tracing_config {
    mode = "Active"
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600
}

resource "aws_iam_role" "this" {
  name                 = local.name
  description          = "Lambda function: fetches ${var.source_name} and writes landings"
  permissions_boundary = var.boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "FunctionOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "extract"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(var.statements, [
      {
        Sid      = "WriteFunctionLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:${var.context.partition}:logs:${var.context.region}:${var.context.account_id}:log-group:/wandle/${var.context.environment}/lambda/${var.source_name}:*"
      },
      {
        Sid      = "TellOfFailure"
        Effect   = "Allow"
        Action   = ["sns:Publish"]
        Resource = var.alerts_topic_arn
      },
      {
        Sid      = "EncryptTellingOfFailure"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = var.key_arn
        Condition = {
          StringEquals = { "kms:ViaService" = ["sns.${var.context.region}.amazonaws.com", "lambda.${var.context.region}.amazonaws.com"] }
        }
      },
      {
        Sid      = "WriteTraces"
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        Resource = "*"
      },
    ])
  })
}

resource "aws_iam_role" "schedule" {
  name                 = "${local.name}-schedule"
  description          = "Starts the Lambda function of ${var.source_name}"
  permissions_boundary = var.boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "SchedulesOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.context.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  name = "start"
  role = aws_iam_role.schedule.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "StartFunction"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = local.function_arn
    }]
  })
}

resource "aws_scheduler_schedule" "this" {
  name                         = local.name
  description                  = "Schedule of the contract ${var.source_name}"
  schedule_expression          = local.schedule
  schedule_expression_timezone = "UTC"
  kms_key_arn                  = var.key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.schedule.arn
    input    = jsonencode({ source = var.source_name, scheduled_time = "<aws.scheduler.scheduled-time>" })

    retry_policy {
      maximum_retry_attempts       = 3
      maximum_event_age_in_seconds = 3600
    }
  }
}
