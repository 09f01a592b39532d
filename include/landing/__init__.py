"""Pages <-> S3: keys, manifests, checksums. Ignorant of what the pages hold."""
