"""Descriptions of the datasets by standards: CSVW, Data Package, DCAT."""
