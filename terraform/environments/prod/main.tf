# One environment. The same file in each: what differs stands in settings.tf.

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = "wandle"
      Environment = local.environment
      Owner       = var.owner
      ManagedBy   = "terraform"
    }
  }
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  protected = coalesce(var.protected, local.numbers.protected)
  registry  = "${local.account}.dkr.ecr.${var.region}.amazonaws.com"
  boundary  = "arn:${local.partition}:iam::${local.account}:policy/wandle-boundary"
  contracts = "${path.module}/../../../include/sources"
}

module "key" {
  source = "../../modules/key"

  environment = local.environment
  account_id  = local.account
  partition   = local.partition
  region      = var.region
  protected   = local.protected
}

module "network" {
  source = "../../modules/network"

  environment        = local.environment
  account_id         = local.account
  partition          = local.partition
  region             = var.region
  boundary_arn       = local.boundary
  key_arn            = module.key.arn
  cidr               = coalesce(var.vpc_cidr, local.numbers.vpc_cidr)
  nat_gateways       = local.numbers.nat_gateways
  endpoint_zones     = local.numbers.endpoint_zones
  log_retention_days = local.numbers.log_retention_days
  buckets            = [module.lake.bucket]
}

module "lake" {
  source = "../../modules/lake"

  environment          = local.environment
  account_id           = local.account
  partition            = local.partition
  region               = var.region
  key_arn              = module.key.arn
  protected            = local.protected
  landing_archive_days = local.numbers.landing_archive_days
  task_log_days        = local.numbers.task_log_days
  access_log_days      = local.numbers.access_log_days
}

module "warehouse" {
  source = "../../modules/warehouse"

  environment        = local.environment
  account_id         = local.account
  partition          = local.partition
  boundary_arn       = local.boundary
  key_arn            = module.key.arn
  protected          = local.protected
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.private_subnet_ids
  clients            = module.airflow_host.security_group_ids
  instance_class     = coalesce(var.database_instance_class, local.numbers.database_instance_class)
  storage_gb         = local.numbers.database_storage_gb
  storage_limit_gb   = local.numbers.database_storage_limit_gb
  multi_az           = local.numbers.database_multi_az
  backup_days        = local.numbers.database_backup_days
  final_snapshot     = local.numbers.database_final_snapshot
  log_retention_days = local.numbers.log_retention_days
}

module "secrets" {
  source = "../../modules/secrets"

  environment = local.environment
  key_arn     = module.key.arn
  protected   = local.protected
}

module "identity" {
  source = "../../modules/identity"

  environment      = local.environment
  account_id       = local.account
  partition        = local.partition
  region           = var.region
  boundary_arn     = local.boundary
  key_arn          = module.key.arn
  contracts_folder = local.contracts
  bucket_arn       = module.lake.arn
  repository_arn   = "arn:${local.partition}:ecr:${var.region}:${local.account}:repository/wandle"
  admin_secret_arn = module.warehouse.admin_secret_arn
}

module "airflow_host" {
  source = "../../modules/airflow_host"

  environment                 = local.environment
  region                      = var.region
  key_arn                     = module.key.arn
  protected                   = local.protected
  vpc_id                      = module.network.vpc_id
  private_subnet_ids          = module.network.private_subnet_ids
  public_subnet_ids           = module.network.public_subnet_ids
  instance_type               = coalesce(var.host_instance_type, local.numbers.host_instance_type)
  disk_gb                     = local.numbers.host_disk_gb
  instance_profile_arn        = module.identity.instance_profile_arn
  image                       = "${local.registry}/wandle@${var.image_digest}"
  settings                    = local.settings
  admin_secret_arn            = module.warehouse.admin_secret_arn
  warehouse_security_group_id = module.warehouse.security_group_id
  nightly_stop                = local.numbers.nightly_stop
  workers                     = var.workers
  public                      = var.public
  access_logs_bucket          = module.lake.access_logs_bucket
  log_retention_days          = local.numbers.log_retention_days
}

module "serverless_extract" {
  source   = "../../modules/serverless_extract"
  for_each = var.serverless_sources

  environment        = local.environment
  account_id         = local.account
  partition          = local.partition
  region             = var.region
  boundary_arn       = local.boundary
  key_arn            = module.key.arn
  source_name        = each.key
  cron               = module.identity.sources[each.key].schedule
  statements         = module.identity.sources[each.key].statements
  image              = "${local.registry}/wandle-extract@${var.extract_image_digest}"
  settings           = local.settings_of_functions
  alerts_topic_arn   = module.watch.topic_arn
  log_retention_days = local.numbers.log_retention_days
}

module "watch" {
  source = "../../modules/watch"

  environment               = local.environment
  account_id                = local.account
  partition                 = local.partition
  region                    = var.region
  boundary_arn              = local.boundary
  key_arn                   = module.key.arn
  alert_email               = var.alert_email
  monthly_budget_usd        = local.numbers.monthly_budget_usd
  sources                   = keys(module.identity.sources)
  database_identifier       = module.warehouse.identifier
  database_storage_limit_gb = local.numbers.database_storage_limit_gb
  host_groups               = var.workers == 0 ? ["host"] : ["host", "worker"]
  autoscaling_group         = module.airflow_host.autoscaling_group
  nightly_stop              = local.numbers.nightly_stop
  functions                 = [for source in var.serverless_sources : "wandle-${local.environment}-lambda-${source}"]
}

# Destroyed before all else, so that a protected environment stays whole: RDS and S3 would refuse, too,
# but only once the rest is gone.
resource "terraform_data" "protection" {
  input = local.protected

  provisioner "local-exec" {
    when    = destroy
    command = self.input ? "echo 'This environment is protected. To destroy it: terraform apply -var protected=false, then terraform destroy -var protected=false (docs/deploy.md).' >&2; exit 1" : "true"
  }

  depends_on = [
    module.airflow_host, module.identity, module.key, module.lake, module.network, module.secrets,
    module.serverless_extract, module.warehouse, module.watch,
  ]
}
