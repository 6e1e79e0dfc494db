"""The endpoints, grouped as the service groups them."""
