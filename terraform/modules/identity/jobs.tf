# Permissions of each job. A statement has the resource * only if the action does not support resources,
# and then has a condition; tests/infra/wildcards.py gives the reason for each.

locals {
  use_key_for_s3 = {
    Sid       = "UseKeyForS3"
    Effect    = "Allow"
    Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource  = var.key_arn
    Condition = { StringEquals = { "kms:ViaService" = "s3.${var.context.region}.amazonaws.com" } }
  }

  read_with_key_for_s3 = merge(local.use_key_for_s3, { Sid = "ReadWithKeyForS3", Action = ["kms:Decrypt"] })

  use_key_for_secrets = {
    Sid       = "UseKeyForSecrets"
    Effect    = "Allow"
    Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource  = var.key_arn
    Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.context.region}.amazonaws.com" } }
  }

  # The platform's own secrets; those of sources are for the roles of their sources alone.
  read_secrets = {
    Sid    = "ReadSecrets"
    Effect = "Allow"
    Action = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    Resource = concat(
      [for prefix in ["connections", "config"] : "${local.arn.secret}/${prefix}/*"],
      [for name in ["broker_password", "pseudonym_key", "oidc_client_secret"] : "${local.arn.secret}/${name}-??????"],
    )
  }

  # AWS adds a hyphen and six characters to the name of a secret.
  reading_own_secret = {
    for source, secret in local.source_secret : "extract-${source}" => [
      {
        Sid      = "ReadOwnSecret"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
        Resource = ["${local.arn.secret}/sources/${secret}-??????"]
      },
      merge(local.use_key_for_secrets, { Sid = "DecryptOwnSecret", Action = ["kms:Decrypt"] }),
    ]
  }

  # Prefixes that each job can list and read.
  zones_read = merge(
    {
      for source in keys(local.contracts) : "extract-${source}" => concat(
        [for name in concat([source], local.parents[source]) : "landing/${name}/"],
        contains(local.inboxes, source) ? ["inbox/${source}/"] : [],
      )
    },
    {
      load         = ["landing/"]
      transform    = ["docs/", "published/"]
      portal       = ["docs/", "published/"]
      housekeeping = ["landing/", "published/"]
      serve        = ["published/"]
      logs         = ["logs/"]
    },
  )

  reading = {
    for job, zones in local.zones_read : job => [
      {
        Sid       = "ListZones"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = var.bucket_arn
        Condition = { StringLike = { "s3:prefix" = [for zone in zones : "${zone}*"] } }
      },
      {
        Sid      = "ReadZones"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = [for zone in zones : "${var.bucket_arn}/${zone}*"]
      },
    ]
  }

  jobs_of_sources = {
    for source in keys(local.contracts) : "extract-${source}" => {
      description = "Fetches ${source} and writes landings"
      statements = concat(local.reading["extract-${source}"], lookup(local.reading_own_secret, "extract-${source}", []), [local.use_key_for_s3, {
        Sid      = "WriteOwnLandings"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:AbortMultipartUpload"]
        Resource = ["${var.bucket_arn}/landing/${source}/*"]
      }])
    }
  }

  # The triggerer waits for events as this job.
  jobs_of_inboxes = length(local.inboxes) == 0 ? {} : {
    inbox = {
      description = "Receives events of new files in inboxes"
      statements = [{
        Sid      = "ReceiveEvents"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
        Resource = [for source in local.inboxes : "${local.arn.queue}-${source}"]
      }]
    }
  }

  # Only what a contract names under `alerts`.
  sending_alerts = concat(
    [for names in [sort(local.alert_secrets)] : {
      Sid      = "ReadSecretsOfAlerts"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
      Resource = [for name in names : "${local.arn.secret}/sources/${name}-??????"]
    } if length(names) > 0],
    [for names in [sort(local.alert_secrets)] : merge(local.use_key_for_secrets, { Sid = "DecryptSecretsOfAlerts", Action = ["kms:Decrypt"] }) if length(names) > 0],
    [for names in [sort(local.alert_topics)] : {
      Sid      = "PublishAlerts"
      Effect   = "Allow"
      Action   = ["sns:Publish"]
      Resource = [for name in names : "${local.arn.topic}:${name}"]
    } if length(names) > 0],
    [for names in [sort(local.alert_topics)] : merge(local.use_key_for_s3, {
      Sid       = "UseKeyForTopics"
      Condition = { StringEquals = { "kms:ViaService" = "sns.${var.context.region}.amazonaws.com" } }
    }) if length(names) > 0],
  )

  jobs_of_alerts = length(local.sending_alerts) == 0 ? {} : {
    alert = {
      description = "Sends alerts to webhooks and SNS topics"
      statements  = local.sending_alerts
    }
  }

  jobs_of_api = var.api_repository_arn == null ? {} : {
    serve = {
      description = "Serves what is published: the read API"
      statements = concat(local.reading.serve, [
        local.read_with_key_for_s3,
        {
          Sid      = "ReadApiKeys"
          Effect   = "Allow"
          Action   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
          Resource = ["${local.arn.secret}/api_keys-??????"]
        },
        merge(local.use_key_for_secrets, { Sid = "DecryptApiKeys", Action = ["kms:Decrypt"] }),
      ])
    }
  }

  jobs_of_all = {
    load = {
      description = "Reads landings: load, replay, verify"
      statements  = concat(local.reading.load, [local.read_with_key_for_s3])
    }

    transform = {
      description = "Publishes dbt docs and open data"
      statements = concat(local.reading.transform, [local.use_key_for_s3, {
        Sid      = "WritePublished"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"]
        Resource = ["${var.bucket_arn}/docs/*", "${var.bucket_arn}/published/*"]
      }])
    }

    portal = {
      description = "Shows dbt docs and open data in the Airflow UI"
      statements  = concat(local.reading.portal, [local.read_with_key_for_s3])
    }

    housekeeping = {
      description = "Deletes landings and published versions: retention and erasure"
      statements = concat(local.reading.housekeeping, [
        local.use_key_for_s3,
        {
          # Erasure rewrites a landing without the person and deletes the old version.
          Sid      = "ReplaceAndDelete"
          Effect   = "Allow"
          Action   = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObjectVersion"]
          Resource = ["${var.bucket_arn}/landing/*", "${var.bucket_arn}/published/*"]
        },
        {
          Sid       = "ListOldVersions"
          Effect    = "Allow"
          Action    = ["s3:ListBucketVersions"]
          Resource  = var.bucket_arn
          Condition = { StringLike = { "s3:prefix" = ["landing/*", "published/*"] } }
        },
      ])
    }

    logs = {
      description = "Writes and reads Airflow task logs"
      statements = concat(local.reading.logs, [local.use_key_for_s3, {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:AbortMultipartUpload"]
        Resource = ["${var.bucket_arn}/logs/*"]
      }])
    }

    watch = {
      description = "Publishes freshness metrics"
      statements = [{
        Sid       = "PutWandleMetrics"
        Effect    = "Allow"
        Action    = ["cloudwatch:PutMetricData"]
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = "Wandle" } }
      }]
    }

    secrets = {
      description = "Reads Airflow connections and configuration"
      statements  = [local.read_secrets, merge(local.use_key_for_secrets, { Action = ["kms:Decrypt"] })]
    }

    migrate = {
      description = "Fills secrets, creates database roles and tables"
      statements = [local.read_secrets, local.use_key_for_secrets, {
        Sid      = "FillSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:PutSecretValue"]
        Resource = "${local.arn.secret}/*"
      }]
    }

    doctor = {
      description = "Checks the configuration of the environment"
      statements = [
        {
          Sid    = "LookAtBucket"
          Effect = "Allow"
          Action = [
            "s3:ListBucket", "s3:GetBucketLocation", "s3:GetBucketPolicy", "s3:GetBucketPolicyStatus", "s3:GetBucketVersioning",
            "s3:GetBucketPublicAccessBlock", "s3:GetBucketOwnershipControls", "s3:GetBucketLogging",
            "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
          ]
          Resource = var.bucket_arn
        },
        {
          Sid      = "LookAtSecrets"
          Effect   = "Allow"
          Action   = ["secretsmanager:DescribeSecret"]
          Resource = "${local.arn.secret}/*"
        },
        {
          Sid      = "LookAtDatabase"
          Effect   = "Allow"
          Action   = ["rds:DescribeDBInstances"]
          Resource = local.arn.server
        },
        {
          Sid      = "LookAtParameters"
          Effect   = "Allow"
          Action   = ["rds:DescribeDBParameters"]
          Resource = "arn:${var.context.partition}:rds:${var.context.region}:${var.context.account_id}:pg:${local.name}-*"
        },
        {
          Sid      = "LookAtRoles"
          Effect   = "Allow"
          Action   = ["iam:GetRole"]
          Resource = "${local.arn.role}-*"
        },
      ]
    }
  }
}
