output "queue_url" {
  description = "URL of a source's queue, with `{source}` for its name: WANDLE_INBOX_QUEUE. Empty without inboxes."
  value       = length(var.sources) == 0 ? "" : "https://sqs.${var.context.region}.amazonaws.com/${var.context.account_id}/${local.name}-{source}"
}
