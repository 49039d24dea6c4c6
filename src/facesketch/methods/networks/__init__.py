"""Plain `nn.Module`s; nothing here knows of losses, data or training."""
