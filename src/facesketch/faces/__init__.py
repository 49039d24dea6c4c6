"""Find the face, level its eyes, bring it into the frame that models are trained on, and put it back.

Nothing here needs torch, and ONNX Runtime is imported only when a face is looked for.
"""

from facesketch.faces.align import Aligned, align
from facesketch.faces.black_corners import fill_corners
from facesketch.faces.face import Face
from facesketch.faces.finder import FaceFinder, choose
from facesketch.faces.frame import FaceFrame

__all__ = ["Aligned", "Face", "FaceFinder", "FaceFrame", "align", "choose", "fill_corners"]
