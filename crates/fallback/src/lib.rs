//! A Tower layer that answers with something else when a service fails.
