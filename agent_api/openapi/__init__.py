"""The OpenAPI document of all that is served, made from the table of routes; and its page at ``/docs``."""
