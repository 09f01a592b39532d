# The secrets, empty: no password is ever in a state file. `wandle migrate` fills those that have no
# value, a person the client secret of the login (docs/deploy.md).

locals {
  logins = ["wandle_loader", "wandle_transformer", "wandle_portal", "wandle_reader", "airflow"]

  descriptions = merge(
    { for login in local.logins : "connections/${login}" => "Airflow connection: how ${login} reaches PostgreSQL" },
    {
      "connections/wandle_s3"   = "Airflow connection: region and bucket of the lake, no key"
      "config/sql_alchemy_conn" = "Airflow: address of its metadata database"
      "config/fernet_key"       = "Airflow: encrypts what is kept in its database"
      "config/api_secret_key"   = "Airflow: signs sessions"
      "config/jwt_secret"       = "Airflow: signs what its parts say to each other"
      "broker_password"         = "Password of the broker, between the host and its workers"
      "pseudonym_key"           = "Key of the pseudonyms; never rotated"
      "oidc_client_secret"      = "Client secret of the login; filled by a person"
    },
  )
}

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57:A password has to change in PostgreSQL too: `wandle migrate --rotate` does both, docs/deploy.md says when
  for_each = local.descriptions

  name                    = "wandle/${var.context.environment}/${each.key}"
  description             = each.value
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.protected ? 30 : 0
}
