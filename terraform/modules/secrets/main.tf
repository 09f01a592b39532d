# Creates the secrets without values, so that no password is in the state. `wandle migrate` fills them,
# except for the OIDC client secret, the API keys and the secrets of sources, which an administrator sets
# (docs/deploy.md).

locals {
  logins = ["wandle_loader", "wandle_transformer", "wandle_portal", "wandle_reader", "wandle_publisher", "airflow"]

  descriptions = merge(
    { for login in local.logins : "connections/${login}" => "Airflow connection: PostgreSQL as ${login}" },
    {
      "connections/wandle_s3"   = "Airflow connection: Region and bucket of the lake, no access key"
      "config/sql_alchemy_conn" = "Airflow: connection URI of the metadata database"
      "config/fernet_key"       = "Airflow: encrypts connections and variables in the metadata database"
      "config/api_secret_key"   = "Airflow: signs sessions"
      "config/jwt_secret"       = "Airflow: signs requests between its components"
      "broker_password"         = "Password of the Celery broker"
      "pseudonym_key"           = "Key for pseudonyms; never rotate it"
      "oidc_client_secret"      = "OIDC client secret; set by an administrator"
    },
    var.has_api ? { "api_keys" = "Hashes of the read API's keys: set by `wandle secrets set api_keys`" } : {},
    { for name in var.source_secrets : "sources/${name}" => "Login of sources, or URL of alerts: set by `wandle secrets set ${name}`" },
  )
}

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57:A password must change in PostgreSQL too: `wandle migrate --rotate` does both, see docs/deploy.md
  for_each = local.descriptions

  name                    = "wandle/${var.context.environment}/${each.key}"
  description             = each.value
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.protected ? 30 : 0
}
