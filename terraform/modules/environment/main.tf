# One environment: composes the other modules. The environment roots differ only in settings.tf and backend.tf.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  context = {
    environment = var.environment
    account_id  = data.aws_caller_identity.this.account_id
    region      = var.region
    partition   = data.aws_partition.this.partition
  }

  registry         = "${local.context.account_id}.dkr.ecr.${var.region}.amazonaws.com"
  boundary_arn     = "arn:${local.context.partition}:iam::${local.context.account_id}:policy/wandle-boundary"
  repository_arn   = "arn:${local.context.partition}:ecr:${var.region}:${local.context.account_id}:repository/wandle"
  contracts_folder = "${path.module}/../../../include/sources"
}

module "key" {
  source = "../key"

  context     = local.context
  protected   = var.protected
  website_arn = one(module.website[*].distribution_arn)
}

module "network" {
  source = "../network"

  context            = local.context
  boundary_arn       = local.boundary_arn
  key_arn            = module.key.arn
  cidr               = var.network.cidr
  nat_gateways       = var.network.nat_gateways
  endpoint_zones     = var.network.endpoint_zones
  log_retention_days = var.retention_days.logs
  buckets            = [module.lake.bucket]
}

module "lake" {
  source = "../lake"

  context              = local.context
  key_arn              = module.key.arn
  protected            = var.protected
  landing_archive_days = var.landing_archive_days
  task_log_days        = var.retention_days.task_logs
  access_log_days      = var.retention_days.access_logs
  website_arn          = one(module.website[*].distribution_arn)
}

module "website" {
  source = "../website"
  count  = var.website == null ? 0 : 1

  providers = { aws = aws.us_east_1 }

  context            = local.context
  bucket             = module.lake.bucket
  access_logs_bucket = module.lake.access_logs_bucket
  domain             = var.website.domain
  api_url            = local.api_url
}

module "warehouse" {
  source = "../warehouse"

  context            = local.context
  boundary_arn       = local.boundary_arn
  key_arn            = module.key.arn
  protected          = var.protected
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.private_subnet_ids
  clients            = module.airflow_host.security_group_ids
  instance_class     = var.database.instance_class
  storage_gb         = var.database.storage_gb
  storage_limit_gb   = var.database.storage_limit_gb
  multi_az           = var.database.multi_az
  backup_days        = var.database.backup_days
  final_snapshot     = var.database.final_snapshot
  log_retention_days = var.retention_days.logs
}

module "secrets" {
  source = "../secrets"

  context        = local.context
  key_arn        = module.key.arn
  source_secrets = module.identity.source_secrets
  has_api        = var.api != null
  protected      = var.protected
}

module "identity" {
  source = "../identity"

  context          = local.context
  boundary_arn     = local.boundary_arn
  key_arn          = module.key.arn
  contracts_folder = local.contracts_folder
  bucket_arn       = module.lake.arn
  repository_arn   = local.repository_arn
  admin_secret_arn = module.warehouse.admin_secret_arn
  has_website      = var.website != null
  website_arn      = one(module.website[*].distribution_arn)

  api_repository_arn = var.api == null ? null : "${local.repository_arn}-api"
}

module "inbox" {
  source = "../inbox"

  context    = local.context
  bucket     = module.lake.bucket
  bucket_arn = module.lake.arn
  sources    = module.identity.inboxes
}

module "airflow_host" {
  source = "../airflow_host"

  context                     = local.context
  key_arn                     = module.key.arn
  protected                   = var.protected
  vpc_id                      = module.network.vpc_id
  private_subnet_ids          = module.network.private_subnet_ids
  public_subnet_ids           = module.network.public_subnet_ids
  instance_type               = var.host.instance_type
  disk_gb                     = var.host.disk_gb
  instance_profile_arn        = module.identity.instance_profile_arn
  image                       = "${local.registry}/wandle@${var.image_digest}"
  settings                    = local.settings
  admin_secret_arn            = module.warehouse.admin_secret_arn
  warehouse_security_group_id = module.warehouse.security_group_id
  nightly_stop                = var.nightly_stop
  workers                     = var.workers
  public                      = var.public
  api                         = one([for api in var.api[*] : merge(api, { image = "${local.registry}/wandle-api@${var.api_image_digest}" })])
  access_logs_bucket          = module.lake.access_logs_bucket
  log_retention_days          = var.retention_days.logs
}

module "serverless_extract" {
  source   = "../serverless_extract"
  for_each = var.serverless_sources

  context            = local.context
  boundary_arn       = local.boundary_arn
  key_arn            = module.key.arn
  source_name        = each.key
  cron               = module.identity.sources[each.key].schedule
  statements         = module.identity.sources[each.key].statements
  image              = "${local.registry}/wandle-extract@${var.extract_image_digest}"
  settings           = local.function_settings
  alerts_topic_arn   = module.watch.topic_arn
  log_retention_days = var.retention_days.logs
}

module "watch" {
  source = "../watch"

  context                   = local.context
  boundary_arn              = local.boundary_arn
  key_arn                   = module.key.arn
  alert_email               = var.alert_email
  monthly_budget_usd        = var.monthly_budget_usd
  sources                   = keys(module.identity.sources)
  database_identifier       = module.warehouse.identifier
  database_storage_limit_gb = var.database.storage_limit_gb
  host_groups               = var.workers == 0 ? ["host"] : ["host", "worker"]
  autoscaling_group         = module.airflow_host.autoscaling_group
  nightly_stop              = var.nightly_stop
  functions                 = [for source in var.serverless_sources : "wandle-${var.environment}-lambda-${source}"]
}

# Terraform destroys this first, so a protected environment fails before anything is deleted. RDS and
# S3 would also refuse, but only after the rest is gone.
resource "terraform_data" "protection" {
  input = var.protected

  provisioner "local-exec" {
    when    = destroy
    command = self.input ? "echo 'This environment is protected. To destroy it, run terraform apply -var protected=false, then terraform destroy -var protected=false. See docs/deploy.md.' >&2; exit 1" : "true"
  }

  depends_on = [
    module.airflow_host, module.identity, module.inbox, module.key, module.lake, module.network, module.secrets,
    module.serverless_extract, module.warehouse, module.watch, module.website,
  ]
}
