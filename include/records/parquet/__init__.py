"""Parquet, read row group by row group. The only package of `include.records` that uses pyarrow,
which is imported when it is needed."""
