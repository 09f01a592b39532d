# Moves the state of environments applied before the module `environment` existed. Once every environment
# has been applied with this file, delete it together with its tests (tests/infra/test_moves.py and
# tests/infra/apply/test_upgrade.py).

moved {
  from = module.airflow_host
  to   = module.environment.module.airflow_host
}

moved {
  from = module.identity
  to   = module.environment.module.identity
}

moved {
  from = module.key
  to   = module.environment.module.key
}

moved {
  from = module.lake
  to   = module.environment.module.lake
}

moved {
  from = module.network
  to   = module.environment.module.network
}

moved {
  from = module.secrets
  to   = module.environment.module.secrets
}

moved {
  from = module.serverless_extract
  to   = module.environment.module.serverless_extract
}

moved {
  from = module.warehouse
  to   = module.environment.module.warehouse
}

moved {
  from = module.watch
  to   = module.environment.module.watch
}

moved {
  from = terraform_data.protection
  to   = module.environment.terraform_data.protection
}
