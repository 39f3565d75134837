"""The product against a replica of Stripe that we did not write: `make stripe-world`, explained in docs/payments.md."""
