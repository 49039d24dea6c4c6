"""Open, fit, save and classify any picture."""
