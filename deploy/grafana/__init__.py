"""Dashboards as code: written from `sources/`, read back and checked before Grafana gets them."""
