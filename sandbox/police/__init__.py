"""data.police.uk."""
