"""What publishers say of their own data: OpenAPI documents, CKAN, ArcGIS, a database's catalogue."""
