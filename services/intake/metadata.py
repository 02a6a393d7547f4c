"""The one metadata of schema `intake`, on which every area's tables lie."""

from sqlalchemy import DateTime, MetaData

metadata = MetaData(schema="intake")

TIME = DateTime(timezone=True)
