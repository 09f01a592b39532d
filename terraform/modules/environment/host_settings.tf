# Environment variables of the host's containers and of the Lambda functions (docs/deploy.md, "Host settings").
# None of them is a secret.

locals {
  api_url = var.api == null ? "" : "https://${var.api.hostname}"

  function_settings = {
    WANDLE_ENVIRONMENT = var.environment
    WANDLE_BUCKET      = module.lake.bucket
    WANDLE_LIVE        = "1"
  }

  settings = merge(local.function_settings, local.login_settings, {
    AWS_REGION          = var.region
    WANDLE_JOB_ROLE     = module.identity.job_role
    WANDLE_DATABASE     = module.warehouse.address
    WANDLE_DATABASE_CA  = "/etc/wandle/rds-ca.pem"
    WANDLE_BACKUP_DAYS  = var.database.backup_days
    WANDLE_SERVERLESS   = join(",", var.serverless_sources)
    WANDLE_INBOX_QUEUE  = module.inbox.queue_url
    WANDLE_API_URL      = local.api_url
    WANDLE_DISTRIBUTION = join("", module.website[*].distribution) # empty without the website
    PGSSLMODE           = "verify-full"
    PGSSLROOTCERT       = "/etc/wandle/rds-ca.pem"

    # Empty: nobody is asked.
    WANDLE_PUBLISH_APPROVAL_HOURS = var.publish_approval_hours == null ? "" : tostring(var.publish_approval_hours)

    AIRFLOW__SECRETS__BACKEND = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
    AIRFLOW__SECRETS__BACKEND_KWARGS = jsonencode({
      connections_prefix = "wandle/${var.environment}/connections"
      variables_prefix   = null
      config_prefix      = "wandle/${var.environment}/config"
      region_name        = var.region
      role_arn           = replace(module.identity.job_role, "{job}", "secrets")
    })

    AIRFLOW__FAB__COOKIE_SECURE              = var.public == null ? "False" : "True"
    AIRFLOW__API__BASE_URL                   = var.public == null ? "http://localhost:8080" : "https://${var.public.hostname}"
    AIRFLOW__LOGGING__REMOTE_LOGGING         = "True"
    AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER = "s3://${module.lake.bucket}/logs"
    AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID     = "wandle_logs"
    # Contains no access key, only the role that can write the logs.
    AIRFLOW_CONN_WANDLE_LOGS = jsonencode({
      conn_type = "aws"
      extra     = { region_name = var.region, role_arn = replace(module.identity.job_role, "{job}", "logs") }
    })
    # Contains no access key, only the role that can receive the events of inboxes.
    AIRFLOW_CONN_WANDLE_INBOX = jsonencode({
      conn_type = "aws"
      extra     = { region_name = var.region, role_arn = replace(module.identity.job_role, "{job}", "inbox") }
    })
  })

  login_settings = var.login == null ? {} : {
    WANDLE_OIDC_ISSUER       = var.login.issuer
    WANDLE_OIDC_CLIENT_ID    = var.login.client_id
    WANDLE_OIDC_SCOPES       = var.login.scopes
    WANDLE_OIDC_GROUPS_CLAIM = var.login.groups_claim
    WANDLE_OIDC_VIEWERS      = var.login.viewers
    WANDLE_OIDC_OPERATORS    = var.login.operators
    WANDLE_OIDC_ADMINS       = var.login.admins
  }
}
