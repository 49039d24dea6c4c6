"""The families of models, one file each; `registry` names them."""
