"""python -m services.intake.openapi > docs/openapi/intake.json"""

import json
import sys

from services.intake.openapi.document import document

json.dump(document(), sys.stdout, indent=1, ensure_ascii=False)
sys.stdout.write("\n")
