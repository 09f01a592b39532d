"""Where columns come from, and what is made of them; as a graph, and as OpenLineage events."""
