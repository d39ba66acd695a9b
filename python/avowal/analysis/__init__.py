"""Analysis: from choices, targets and reports to the paper's tables, whoever made them: the authors, or a study.

Reading order: :mod:`~avowal.analysis.material` (what is analysed), :mod:`~avowal.analysis.groups` (choices and the
weights behind them), :mod:`~avowal.analysis.analyze` (the accuracies), :mod:`~avowal.analysis.results` (what comes
out), :mod:`~avowal.analysis.document` and :mod:`~avowal.analysis.printed` (how it is shown).
"""

from avowal.analysis.analyze import analyze
from avowal.analysis.document import document
from avowal.analysis.material import Material, ModelMaterial
from avowal.analysis.printed import printed
from avowal.analysis.results import Analysis, Settings

__all__ = ["Analysis", "Material", "ModelMaterial", "Settings", "analyze", "document", "printed"]
