"""The demo: the main job on a running platform."""
