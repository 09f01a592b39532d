"""Pages <-> S3: keys, manifests, checksums. Does not interpret page contents."""
