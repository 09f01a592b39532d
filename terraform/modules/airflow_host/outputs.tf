output "autoscaling_group" {
  description = "Name of the host's Auto Scaling group, to find the instance for `aws ssm start-session`."
  value       = aws_autoscaling_group.this["host"].name
}

output "security_group_ids" {
  description = "IDs of the hosts' security groups, by group of hosts, for the database's inbound rules."
  value       = { for name, group in aws_security_group.this : name => group.id }
}

output "settings" {
  description = "Environment variables that the host passes to every container. None is a secret."
  value       = var.settings
}

output "balancer" {
  description = "DNS name of the load balancer, for the council's DNS record. Null without a load balancer."
  value       = one([for balancer in aws_lb.public : balancer.dns_name])
}
