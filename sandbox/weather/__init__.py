"""archive-api.open-meteo.com."""
