mock_provider "aws" {}

variables {
  context = {
    environment = "dev"
    account_id  = "123456789012"
    region      = "eu-west-2"
    partition   = "aws"
  }

  bucket     = "wandle-dev-lake-123456789012"
  bucket_arn = "arn:aws:s3:::wandle-dev-lake-123456789012"
  sources    = ["spend"]
}

run "sends_the_events_of_each_inbox_to_a_queue_of_its_own" {
  assert {
    condition     = one(one(aws_s3_bucket_notification.inbox).queue).filter_prefix == "inbox/spend/"
    error_message = "A queue must get the events of its own inbox only."
  }

  assert {
    condition     = output.queue_url == "https://sqs.eu-west-2.amazonaws.com/123456789012/wandle-dev-inbox-{source}"
    error_message = "The host must be told where the queues are."
  }
}

run "lets_only_the_bucket_send" {
  assert {
    condition = [
      for statement in jsondecode(aws_sqs_queue_policy.inbox["spend"].policy).Statement : statement.Condition.ArnEquals["aws:SourceArn"]
      if statement.Effect == "Allow"
    ] == [var.bucket_arn]
    error_message = "Nobody but the bucket may send to a queue."
  }
}

run "makes_nothing_without_inboxes" {
  variables {
    sources = []
  }

  assert {
    condition     = length(aws_s3_bucket_notification.inbox) == 0 && length(aws_sqs_queue.inbox) == 0 && output.queue_url == ""
    error_message = "Without inboxes there must be no queue and no notification."
  }
}
