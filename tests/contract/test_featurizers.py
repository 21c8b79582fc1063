"""Every registered featurizer: a new file is tested at once. Numbers against RDKit itself."""

from functools import cache

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Avalon import pyAvalonTools
from rdkit.Chem import (
    QED,
    Crippen,
    Descriptors,
    MACCSkeys,
    rdFingerprintGenerator,
    rdMolDescriptors,
    rdReducedGraphs,
)

from app.core.errors import InvalidInput
from app.core.requests import PluginSpec
from app.features.compute import FeatureSet
from app.featurizers.base import Featurizer, featurizers
from app.kinds.references import check_features
from tests.support.molecules import standardized_esol

MOLECULES = 60
NAMES = [cls.name for cls in featurizers if issubclass(cls, Featurizer)]
#: every name, but those whose package is missing where the tests run
ALL = pytest.mark.parametrize("name", [n for n in NAMES if not featurizers.get(n).unavailable()])


@cache
def molecules():
    return [found.mol for found in standardized_esol(MOLECULES)]


@cache
def batch(name):
    """All of them at once, at the defaults."""
    return featurizers.get(name)().featurize(molecules())


@pytest.fixture
def mols():
    return molecules()


@ALL
def test_shape_type_and_columns(name):
    featurizer, found = featurizers.get(name)(), batch(name)
    assert found.matrix.shape == (MOLECULES, featurizer.width)
    assert found.matrix.dtype == featurizer.dtype
    assert len(set(featurizer.columns())) == featurizer.width
    assert found.errors == {}
    if featurizer.output == "bits":
        assert set(np.unique(found.matrix)) <= {0, 1}
    if featurizer.output in ("counts", "tokens"):
        assert (found.matrix >= 0).all()
    if featurizer.output == "floats":
        assert np.isfinite(found.matrix[~np.isnan(found.matrix)]).all()


@ALL
def test_a_molecule_alone_is_as_in_a_batch_and_molecules_differ(name, mols):
    again = featurizers.get(name)().featurize([mols[7]]).matrix
    np.testing.assert_array_equal(batch(name).matrix[7], again[0])
    assert len(np.unique(np.nan_to_num(batch(name).matrix), axis=0)) > 0.5 * len(mols)


@ALL
def test_a_missing_molecule_costs_only_its_own_row(name, mols):
    featurizer = featurizers.get(name)()
    found = featurizer.featurize([mols[0], None, mols[1]])
    assert list(found.errors) == [1]
    np.testing.assert_array_equal(found.matrix[2], batch(name).matrix[1])
    np.testing.assert_array_equal(found.matrix[1], featurizer.empty(1)[0])


@ALL
def test_unknown_parameters_are_refused_by_name(name):
    with pytest.raises(InvalidInput) as refused:
        featurizers.get(name).from_values({"no_such_thing": 1})
    assert "/no_such_thing" in [field["pointer"] for field in refused.value.errors]


@ALL
def test_it_says_what_it_is(name):
    featurizer = featurizers.get(name)
    assert featurizer.summary
    assert featurizer.reference
    assert featurizer.output in ("bits", "counts", "floats", "tokens")


def _array(vector):
    array = np.zeros(0)
    DataStructs.ConvertToNumpyArray(vector, array)
    return array


def _bits(generator):
    return lambda mol: _array(generator.GetFingerprint(mol))


def _counts(generator):
    return lambda mol: _array(generator.GetCountFingerprint(mol))


def _physchem(mol):
    """The same twelve by RDKit's C++ functions, or from the atoms."""
    return [
        sum(atom.GetMass() + atom.GetTotalNumHs() * 1.008 for atom in mol.GetAtoms()),
        *rdMolDescriptors.CalcCrippenDescriptors(mol),
        rdMolDescriptors.CalcTPSA(mol),
        rdMolDescriptors.CalcNumHBD(mol),
        rdMolDescriptors.CalcNumHBA(mol),
        rdMolDescriptors.CalcNumRotatableBonds(mol),
        rdMolDescriptors.CalcNumAromaticRings(mol),
        rdMolDescriptors.CalcFractionCSP3(mol),
        mol.GetNumHeavyAtoms(),
        QED.default(mol),
        sum(atom.GetFormalCharge() for atom in mol.GetAtoms()),
    ]


def _properties(mol):
    named = dict(Descriptors.descList)
    return {
        "amw": named["MolWt"](mol),
        "tpsa": named["TPSA"](mol),
        "CrippenClogP": Crippen.MolLogP(mol),
        "NumHBD": rdMolDescriptors.CalcNumHBD(mol),
        "kappa2": named["Kappa2"](mol),
        "labuteASA": rdMolDescriptors.CalcLabuteASA(mol),
    }


def _descriptors(mol):
    values = np.array([function(mol) for _, function in Descriptors.descList], dtype=float)
    values[~np.isfinite(values) | (np.abs(values) > np.finfo(np.float32).max)] = np.nan
    return values.astype(np.float32)


_MORGAN = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
_FCFP = rdFingerprintGenerator.GetMorganGenerator(
    radius=2,
    fpSize=2048,
    atomInvariantsGenerator=rdFingerprintGenerator.GetMorganFeatureAtomInvGen(),
)
_PAIRS = rdFingerprintGenerator.GetAtomPairGenerator()
_TORSIONS = rdFingerprintGenerator.GetTopologicalTorsionGenerator()
_PATHS = rdFingerprintGenerator.GetRDKitFPGenerator()

#: how RDKit itself gives what a featurizer of its name promises, at the defaults
RDKIT = {
    "morgan_bits": _bits(_MORGAN),
    "morgan_counts": _counts(_MORGAN),
    "fcfp_bits": _bits(_FCFP),
    "fcfp_counts": _counts(_FCFP),
    "atom_pair_bits": _bits(_PAIRS),
    "atom_pair_counts": _counts(_PAIRS),
    "topological_torsion_bits": _bits(_TORSIONS),
    "topological_torsion_counts": _counts(_TORSIONS),
    "rdkit_bits": lambda mol: _array(Chem.RDKFingerprint(mol)),
    "rdkit_counts": _counts(_PATHS),
    "layered": lambda mol: _array(Chem.LayeredFingerprint(mol)),
    "pattern": lambda mol: _array(Chem.PatternFingerprint(mol)),
    "maccs": lambda mol: _array(MACCSkeys.GenMACCSKeys(mol))[1:],
    "avalon_bits": lambda mol: _array(pyAvalonTools.GetAvalonFP(mol, nBits=1024)),
    "avalon_counts": lambda mol: _array(pyAvalonTools.GetAvalonCountFP(mol, nBits=1024)),
    "erg": lambda mol: np.asarray(rdReducedGraphs.GetErGFingerprint(mol), dtype=np.float32),
    "rdkit_descriptors": _descriptors,
}


@pytest.mark.parametrize("name", sorted(RDKIT))
@pytest.mark.req("S0-10", "S0-26")
def test_equal_to_rdkit_called_directly(name, mols):
    expected = np.array([RDKIT[name](mol) for mol in mols])
    np.testing.assert_array_equal(featurizers.get(name)().featurize(mols).matrix, expected)


@pytest.mark.req("S0-10", "S0-26")
def test_equal_to_mordred_called_directly(mols):
    """Each descriptor by itself, not through the calculator of all."""
    mordred = pytest.importorskip("mordred")
    named = {str(d): d for d in mordred.Calculator(mordred.descriptors, ignore_3D=True).descriptors}
    columns = featurizers.get("mordred")().columns()
    assert columns == list(named)
    some = ["ABC", "nAcid", "SpAbs_A", "ATS3m", "BCUTc-1h", "SLogP", "Xch-3d", "MAXsCH3", "WPath"]

    def value(name, mol):
        try:
            return float(named[name](mol))
        except ValueError:
            return np.nan  # no such atom, as Mordred says

    for name in some:
        expected = [value(name, mol) for mol in mols[:20]]
        found = batch("mordred").matrix[:20, columns.index(name)]
        np.testing.assert_array_equal(found, np.float32(expected))


def test_a_featurizer_without_its_package_says_which(monkeypatch):
    monkeypatch.setattr("app.featurizers.mordred.find_spec", lambda name: None)
    assert "mordredcommunity" in featurizers.get("mordred").unavailable()
    with pytest.raises(InvalidInput, match="mordredcommunity is not installed") as refused:
        FeatureSet([PluginSpec(name="mordred")])
    assert refused.value.problem()["code"] == "featurizer_unavailable"
    with pytest.raises(InvalidInput, match="not installed"):
        check_features((PluginSpec(name="maccs"), PluginSpec(name="mordred")))


@pytest.mark.req("S0-10", "S0-26")
def test_physchem_against_other_functions_of_rdkit(mols):
    found = featurizers.get("physchem")().featurize(mols).matrix
    np.testing.assert_allclose(found, [_physchem(mol) for mol in mols], rtol=1e-4, atol=1e-3)


@pytest.mark.req("S0-10", "S0-26")
def test_physchem_of_aspirin_as_published():
    """PubChem CID 2244: 180.16 g/mol, TPSA 63.6 A2, 1 donor, 13 heavy atoms, 3 rotatable bonds;
    QED 0.55 (Bickerton et al. 2012, RDKit's own test).
    """
    physchem = featurizers.get("physchem")()
    values = physchem.featurize_one(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))
    named = dict(zip(physchem.columns(), values.tolist(), strict=True))
    assert named["molecular_weight_g_per_mol"] == pytest.approx(180.16, abs=0.01)
    assert named["topological_polar_surface_area_A2"] == pytest.approx(63.6, abs=0.01)
    assert (named["h_bond_donors"], named["heavy_atoms"], named["formal_charge_e"]) == (1, 13, 0)
    assert named["aromatic_rings"] == 1
    assert named["qed"] == pytest.approx(0.55, abs=0.01)


@pytest.mark.req("S0-10", "S0-26")
def test_properties_against_the_descriptors_of_the_same_meaning(mols):
    properties = featurizers.get("rdkit_properties")()
    matrix = properties.featurize(mols).matrix
    for mol, row in zip(mols, matrix, strict=True):
        named = dict(zip(properties.columns(), row.tolist(), strict=True))
        for name, expected in _properties(mol).items():
            assert named[name] == pytest.approx(expected, rel=1e-6)


#: parameters -> the generator that RDKit makes of them
PARAMETERS = [
    ("ECFP", {"radius": 3, "fp_size": 512}, "GetMorganGenerator", {"radius": 3, "fpSize": 512}),
    ("FCFP", {"radius": 1, "fp_size": 512}, "GetMorganGenerator", {
        "radius": 1, "fpSize": 512,
        "atomInvariantsGenerator": rdFingerprintGenerator.GetMorganFeatureAtomInvGen()}),
    ("morgan_bits", {"use_features": True}, "GetMorganGenerator", {
        "radius": 2, "fpSize": 2048,
        "atomInvariantsGenerator": rdFingerprintGenerator.GetMorganFeatureAtomInvGen()}),
    ("atom_pair", {"max_distance": 3, "use_chirality": True, "count_simulation": False},
     "GetAtomPairGenerator",
     {"maxDistance": 3, "includeChirality": True, "countSimulation": False}),
    ("torsion", {"torsion_atoms": 5, "count_simulation": False}, "GetTopologicalTorsionGenerator",
     {"torsionAtomCount": 5, "countSimulation": False}),
    ("rdkit_fingerprint", {"max_path": 4, "branched_paths": False, "bits_per_feature": 1},
     "GetRDKitFPGenerator", {"maxPath": 4, "branchedPaths": False, "numBitsPerFeature": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "params", "function", "arguments"), PARAMETERS)
@pytest.mark.req("S0-10", "S0-26")
def test_parameters_reach_rdkit(mols, name, params, function, arguments):
    featurizer = featurizers.get(name).from_values(params)
    generator = getattr(rdFingerprintGenerator, function)(**arguments)
    expected = np.array([_array(generator.GetFingerprint(mol)) for mol in mols])
    np.testing.assert_array_equal(featurizer.featurize(mols).matrix, expected)
    assert not np.array_equal(featurizers.get(name)().featurize(mols).matrix, expected)


def test_layered_and_pattern_parameters_reach_rdkit(mols):
    layered = featurizers.get("layered").from_values({"max_path": 3, "fp_size": 512})
    expected = [_array(Chem.LayeredFingerprint(m, maxPath=3, fpSize=512)) for m in mols]
    np.testing.assert_array_equal(layered.featurize(mols).matrix, expected)
    pattern = featurizers.get("pattern").from_values({"fp_size": 256, "tautomers": True})
    expected = [
        _array(Chem.PatternFingerprint(m, fpSize=256, tautomerFingerprints=True)) for m in mols
    ]
    np.testing.assert_array_equal(pattern.featurize(mols).matrix, expected)


@pytest.mark.parametrize("name", ["morgan_bits", "morgan_counts", "fcfp_counts"])
def test_mirror_images_differ_with_chirality_only(name):
    pair = [Chem.MolFromSmiles(s) for s in ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O")]
    flat = featurizers.get(name)().featurize(pair).matrix
    chiral = featurizers.get(name).from_values({"use_chirality": True}).featurize(pair).matrix
    assert np.array_equal(flat[0], flat[1])
    assert not np.array_equal(chiral[0], chiral[1])


@pytest.mark.parametrize(
    "named", ["DESC", "MACCS", "ECFP", "ECFC", "FCFP", "FCFC", "AVALON", "ecfp4"]
)
def test_upstream_names_are_known(named):
    assert featurizers.get(named).output in ("bits", "counts", "floats")


def test_a_path_must_have_a_length():
    for name, params in [
        ("rdkit_bits", {"min_path": 8}),
        ("layered", {"min_path": 5, "max_path": 4}),
        ("atom_pair_bits", {"min_distance": 9, "max_distance": 8}),
    ]:
        with pytest.raises(InvalidInput, match="not valid"):
            featurizers.get(name).from_values(params)
