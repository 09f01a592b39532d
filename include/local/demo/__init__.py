"""The main job on a platform that is up."""
