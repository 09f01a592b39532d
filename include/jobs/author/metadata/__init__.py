"""What publishers say of their own data: OpenAPI, CKAN, ArcGIS, a database's catalogue."""
