output "autoscaling_group" {
  description = "Group of the one host, whose instance `aws ssm start-session` is given."
  value       = aws_autoscaling_group.this["host"].name
}

output "security_group_ids" {
  description = "Groups of the hosts, by what is in them: the database lets them in."
  value       = { for name, group in aws_security_group.this : name => group.id }
}

output "settings" {
  description = "What the host gives to every container; nothing in it is secret."
  value       = var.settings
}

output "balancer" {
  description = "Name that the council's DNS points at; null without a load balancer."
  value       = one([for balancer in aws_lb.public : balancer.dns_name])
}
