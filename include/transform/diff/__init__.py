"""What a change to the models would do: two revisions built apart from everyone's, and compared."""
