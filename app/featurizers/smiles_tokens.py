"""SMILES as a sequence of token numbers, for networks that read text."""

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.core.plugin import PluginParams
from app.featurizers.base import Featurizer, featurizers

if TYPE_CHECKING:
    from rdkit.Chem import Mol

#: Schwaller et al. 2019: a bracket atom, an atom, a bond or a ring closure is one token
_TOKEN = re.compile(
    r"(\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|\/|:|~|@|\?|>>?|\*|\$"
    r"|%[0-9]{2}|[0-9])"
)
PADDING, UNKNOWN, START, END = range(4)
_SPECIAL = ["<padding>", "<unknown>", "<start>", "<end>"]
_PLAIN = [
    *("B", "Br", "C", "Cl", "N", "O", "S", "P", "F", "I", "b", "c", "n", "o", "s", "p"),
    *("(", ")", ".", "=", "#", "-", "+", "\\", "/", ":", "~", "@", "?", ">", ">>", "*", "$"),
    *map(str, range(10)),
    *(f"%{number}" for number in range(10, 30)),
]
#: bracket atoms of drugs, reagents and their salts; others are <unknown>
_BRACKETS = """
    H C CH N NH O S P B F Cl Br I Si Se Te As Ge Sn Pb Hg Pt Pd Ru Rh Ir Ti Zr V Cr Mo W Mn Fe Co Ni
    Cu Zn Ag Au Cd Al Ga In Tl Sb Bi Li Na K Rb Cs Mg Ca Sr Ba SiH SiH2 SiH3 SiH4 SeH AsH AsH2 GeH
    SnH PH PH2 BH BH2 BH3 nH pH se te as seH cH si
    C@ C@@ C@H C@@H S@ S@@ P@ P@@ P@H P@@H Si@ Si@@ Si@H Si@@H N@ N@@ N@+ N@@+ S@+ S@@+ P@+ P@@+
    NH+ NH2+ NH3+ NH4+ N+ N- NH- n+ nH+ n- O- O+ OH+ OH- OH2+ OH3+ o+ S- S+ SH+ SH- s+ SH Se- Se+
    C+ C- CH- CH2- CH+ CH2+ CH3- c- c+ cH- B- BH- BH2- BH3- BH4- P- P+ PH+ PH2+ PH3+ Si- Si+ As+ As-
    F- Cl- Br- I- I+ Cl+ Br+ Cl+2 Cl+3 I+2 H+ H- Li+ Na+ K+ Rb+ Cs+ Ag+ Cu+ Au+ Tl+ Mg+2 Ca+2 Sr+2
    Ba+2 Zn+2 Fe+2 Fe+3 Cu+2 Co+2 Co+3 Ni+2 Mn+2 Cd+2 Hg+2 Pb+2 Pt+2 Pt+4 Pd+2 Al+3 Cr+3 Bi+3 Sb+3
    La+3 Gd+3 Ti+4 Zr+4 Sn+2 Sn+4 2H 3H 11CH3 13C 13CH3 14C 14CH3 15N 18F 18O 35S 123I 125I 131I
"""
VOCABULARY = (*_SPECIAL, *_PLAIN, *(f"[{atom}]" for atom in _BRACKETS.split()))
_NUMBERS = {token: number for number, token in enumerate(VOCABULARY)}


def tokens_of(smiles: str) -> list[str]:
    """Together they are the SMILES again. Raises ValueError for what is none."""
    tokens: list[str] = _TOKEN.findall(smiles)
    if "".join(tokens) != smiles:
        raise ValueError(f"cannot be cut into tokens: {smiles[:100]}")
    return tokens


@featurizers.register
class SmilesTokens(Featurizer):
    """Of RDKit's canonical SMILES: <start>, its tokens, <end>, then <padding>. The vocabulary is
    fixed, so numbers mean the same for every data set; `VOCABULARY` lists it. A molecule with more
    tokens than `max_length` is refused, never cut off.
    """

    name = "smiles_tokens"
    aliases = ("tokens",)
    summary = "Numbers of the tokens of a SMILES, padded to one length"
    reference = "Schwaller et al. 2019, ACS Cent. Sci. 5, 1572 (regular expression)"
    output = "tokens"

    class Params(PluginParams):
        #: columns: tokens, with start and end
        max_length: int = Field(default=256, ge=8, le=4_096)

    def columns(self) -> list[str]:
        return [f"token_{place}" for place in range(self.params.max_length)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.int32]:
        from rdkit import Chem

        numbers = [_NUMBERS.get(token, UNKNOWN) for token in tokens_of(Chem.MolToSmiles(mol))]
        length = len(numbers) + 2
        if length > self.params.max_length:
            raise ValueError(f"{length} tokens are more than max_length {self.params.max_length}")
        row = np.full(self.params.max_length, PADDING, dtype=np.int32)
        row[:length] = [START, *numbers, END]
        return row
