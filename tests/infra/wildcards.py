"""Every statement with an action or resource that is not Wandle's own by name, and why.

By `Sid`. A resource that AWS's ARNs give no name to (`*`), or that is Wandle's only by a condition,
has to be here; so has an action with a `*`.
"""

NO_RESOURCE = "AWS knows no resource for these actions."
KEY_POLICY = "In a key's own policy, * is that key."

REASONS = {
    # roles
    "LogInToRegistry": NO_RESOURCE,
    "BeReachedBySessionManager": NO_RESOURCE + " The agent may speak for its own instance only.",
    "PutHostMetrics": NO_RESOURCE + " A condition names the namespace.",
    "PutWandleMetrics": NO_RESOURCE + " A condition names the namespace.",
    "WriteTraces": NO_RESOURCE,
    "WriteDatabaseMetrics": "RDS writes to this one group of the account, whatever the database.",
    # what grants nothing, only limits
    "BoundaryKeys": "A ceiling. The roles' own policies name one key each.",
    "BoundarySecrets": "A ceiling. RDS names the admin's secret; one role's policy names it.",
    "BoundaryLogs": "A ceiling. RDS's monitoring writes to a group of its own name.",
    "BoundaryMetrics": NO_RESOURCE + " A condition names the namespaces.",
    "BoundaryWithoutResource": NO_RESOURCE,
    # policies of resources
    "AccountDecides": KEY_POLICY + " Without it nobody could manage the key.",
    "LogGroupsOfThisEnvironment": KEY_POLICY + " A condition names the log groups.",
    "AlarmsOfThisAccount": KEY_POLICY + " A condition names the account.",
    "TlsOnly": "A denial: the more it is about, the better.",
    "Tls12OrNewer": "A denial: the more it is about, the better.",
    "EndpointForThisAccount": "An endpoint grants nothing; no other account gets through.",
    "EndpointForOwnBuckets": "An endpoint grants nothing; it lets through to own buckets alone.",
    "EndpointForLayersAndPackages": "Buckets of AWS: image layers and Amazon Linux's packages.",
    # who deploys
    "LookAtSetUp": "Looking only, at what a plan cannot know yet. Neither data nor secrets.",
    "LookAtBuckets": "s3:GetBucket* is how a bucket is set up; none of these reads an object.",
    "FindAmazonLinux": "Public parameters of AWS: which image is the newest.",
    "BuildNetworkAndHosts": "What a VPC is made of gets its number when made; one region, and "
    "LeaveOthersAlone denies what another environment's tag is on.",
    "LeaveOthersAlone": "A denial: the more it is about, the better.",
    "BuildNamed": "All of a service, on resources that are named after the environment.",
    "BuildSecretsWithoutReading": "RDS makes the admin's secret as the deployer; no value is read.",
    "MakeKeys": "A key has no number yet when it is made; a condition names its tag.",
    "ManageOwnKeys": "A key's ARN is its number; a condition names its tag.",
    "MakeServiceLinkedRoles": "AWS's own roles for three services that a condition names.",
    "RunOnOwnHosts": "An instance's ARN is its number; a condition names its tags.",
    "SeeWhatRan": NO_RESOURCE + " A condition names the region.",
}
