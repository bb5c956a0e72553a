//! A Tower layer that measures: counts, errors, percentiles, and observers for metrics and tracing.
