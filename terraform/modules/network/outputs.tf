output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Where everything runs: one private subnet in each zone."
  value       = aws_subnet.private[*].id
}

output "public_subnet_ids" {
  description = "For the load balancer alone: one public subnet in each zone."
  value       = aws_subnet.public[*].id
}
