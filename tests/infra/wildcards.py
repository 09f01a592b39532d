"""The reason for every wildcard in a policy, by `Sid`.

Lists each statement with a wildcard in an action, or in a resource whose ARN does not contain
Wandle's name.
"""

NO_RESOURCE = "These actions do not support resources."
KEY_POLICY = "In a key policy, * means the key itself."

REASONS = {
    # roles
    "LogInToRegistry": NO_RESOURCE,
    "BeReachedBySessionManager": NO_RESOURCE + " The agent can act only for its own instance.",
    "PutHostMetrics": NO_RESOURCE + " A condition limits the namespace.",
    "PutWandleMetrics": NO_RESOURCE + " A condition limits the namespace.",
    "WriteTraces": NO_RESOURCE,
    "WriteDatabaseMetrics": "RDS uses one log group per account for all databases.",
    # permissions boundary: limits and grants nothing
    "BoundaryKeys": "A limit. The roles' own policies name one key each.",
    "BoundarySecrets": "A limit. RDS names the admin secret; one role's policy has its ARN.",
    "BoundaryLogs": "A limit. RDS Enhanced Monitoring writes to a log group named by RDS.",
    "BoundaryMetrics": NO_RESOURCE + " A condition limits the namespaces.",
    "BoundaryWithoutResource": NO_RESOURCE,
    "BoundaryWebsite": "A limit. AWS assigns the ID; one role's policy has the ARN.",
    # resource policies
    "AccountDecides": KEY_POLICY + " Without this statement nobody could manage the key.",
    "LogGroupsOfThisEnvironment": KEY_POLICY + " A condition limits the log groups.",
    "AlarmsOfThisAccount": KEY_POLICY + " A condition limits the account.",
    "TlsOnly": "A denial, which should be as broad as possible.",
    "Tls12OrNewer": "A denial, which should be as broad as possible.",
    "EndpointForThisAccount": "An endpoint policy grants nothing; other accounts are denied.",
    "EndpointForOwnBuckets": "An endpoint policy grants nothing; other buckets are denied.",
    "EndpointForLayersAndPackages": "AWS's own buckets: image layers and Amazon Linux packages.",
    # deployment
    "LookAtSetUp": "Read-only, on resources of unknown name. Excludes data and secrets.",
    "LookAtBuckets": "s3:GetBucket* reads the configuration of a bucket, not its objects.",
    "FindAmazonLinux": "AWS's public parameters for the latest image.",
    "BuildNetworkAndHosts": "AWS assigns the IDs. Limited to one Region; LeaveOthersAlone denies "
    "resources with another environment's tag.",
    "LeaveOthersAlone": "A denial, which should be as broad as possible.",
    "BuildNamed": "All actions of a service, on resources named after the environment.",
    "BuildSecretsWithoutReading": "RDS creates the admin secret as the deployer. Excludes values.",
    "MakeKeys": "A new key has no ID yet; a condition requires its tag.",
    "ManageOwnKeys": "AWS assigns key IDs; a condition requires the tag.",
    "MakeWebsite": "A new distribution has no ID yet; a condition requires its tag.",
    "ManageOwnWebsite": "AWS assigns the IDs; a condition requires the tag.",
    "ManagePartsOfWebsites": "AWS assigns the IDs, and these parts have no tags. They hold no "
    "data, and one in use cannot be deleted.",
    "DeliverAccessLogs": "Actions on a delivery's two ends, by name.",
    "ConnectAccessLogs": "AWS assigns the IDs of deliveries. They hold no data.",
    "MakeServiceLinkedRoles": "AWS's own roles; a condition limits them to three services.",
    "RunOnOwnHosts": "AWS assigns instance IDs; a condition requires the tags.",
    "SeeWhatRan": NO_RESOURCE + " A condition limits the Region.",
}
