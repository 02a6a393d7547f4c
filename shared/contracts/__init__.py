"""The language that the services speak: one model per event, topics, golden examples.

Pydantic only. Within a version a model may gain optional fields and nothing else.
"""
