"""The simulator's physics: fields of dipoles in a sphere, on every montage."""

import mne
import numpy as np
import pytest

import neurokit_fm as nkfm
from neurokit_fm.errors import UnknownName
from nkfm_simulate.config import ActivityConfig, ArtefactConfig, SimulationConfig
from nkfm_simulate.dataset import simulate
from nkfm_simulate.forward import CONDUCTIVITY, Head, eeg_gain, fit_head, meg_gain
from nkfm_simulate.montages import MEG_SYSTEMS, cap, cap_names, put_on, sensors
from nkfm_simulate.noise import generator
from nkfm_simulate.sources import Sources, draw_sources

CLEAN = ArtefactConfig(noise=0, line=0, drift=0, blinks_per_minute=0)
HEAD = Head(centre=np.array([0.0, 0.01, 0.04]), radius=0.093)
TANGENT = np.array([1.0, 0.0, 0.0])


def dipoles(position, orientation):
    position, orientation = np.atleast_2d(position), np.atleast_2d(orientation)
    return Sources(name=tuple(f"d{i}" for i in range(len(position))), position=position, orientation=orientation)


def biosemi():
    worn, head = put_on(cap("biosemi64"), 1.0, 0.0, generator(0))
    return worn, head, dict(zip(worn.name, worn.position, strict=True))


def unit(v):
    return v / np.linalg.norm(v)


@pytest.mark.parametrize("name", ["Cz", "C3", "F4", "Pz"])
def test_eeg_of_a_radial_dipole_peaks_above_it_and_is_symmetric_around_it(name):
    worn, head, places = biosemi()
    outward = unit(places[name] - head.centre)
    gain = eeg_gain(worn.position, head, dipoles(0.7 * outward, outward))[:, 0]
    assert worn.name[gain.argmax()] == name
    angle = np.arccos(np.clip(((worn.position - head.centre) / head.radius) @ outward, -1, 1))
    near = np.argsort(angle)[:20]
    assert (np.diff(gain[near]) <= 1e-6 * gain.max()).all()  # falls with the angle and depends on nothing else


def test_a_moment_of_ten_nanoampere_metres_gives_microvolts_and_a_hundred_femtotesla():
    worn, head, places = biosemi()
    up = unit(places["Cz"] - head.centre)
    microvolts = 1e6 * 10e-9 * eeg_gain(worn.position, head, dipoles(0.8 * up, up))
    assert 1 < microvolts.max() < 20
    info = sensors(None, "neuromag306", head, 250.0, generator(0))
    mag = mne.pick_types(info, meg="mag")
    femtotesla = 1e15 * 10e-9 * np.abs(meg_gain(info, head, dipoles(0.8 * up, TANGENT))[mag])
    assert 50 < femtotesla.max() < 500


@pytest.mark.parametrize("system", MEG_SYSTEMS)
def test_meg_is_silent_for_radial_dipoles(system):
    info = sensors(None, system, HEAD, 250.0, generator(0))
    outward = unit(np.array([0.3, -0.2, 0.8]))
    across = unit(np.cross(outward, TANGENT))
    gain = meg_gain(info, HEAD, dipoles(np.tile(0.75 * outward, (2, 1)), [outward, across]))
    radial, tangential = np.abs(gain).max(axis=0)
    assert radial < 1e-9 * tangential  # exactly zero in theory


def test_magnetometers_agree_with_the_closed_formula():
    """Sarvas (1987), equation 25, averaged over a square of 21 mm by Gauss's rule; MNE uses another rule, hence 1 %."""
    info = sensors(None, "neuromag306", HEAD, 250.0, generator(0))
    mag = mne.pick_types(info, meg="mag")
    to_head = info["dev_head_t"]["trans"]
    loc = np.array([info["chs"][i]["loc"] for i in mag])
    places = loc[:, :3] @ to_head[:3, :3].T + to_head[:3, 3] - HEAD.centre
    normals = loc[:, 9:12] @ to_head[:3, :3].T
    at = HEAD.radius * 0.4 * unit(np.array([0.2, 0.1, 0.9]))
    across = [loc[:, i : i + 3] @ to_head[:3, :3].T for i in (3, 6)]
    corners = [places + 0.021 / np.sqrt(12) * (a * across[0] + b * across[1]) for a in (-1, 1) for b in (-1, 1)]
    field = np.mean([[sarvas(p, at, TANGENT) @ n for p, n in zip(c, normals, strict=True)] for c in corners], axis=0)
    gain = meg_gain(info, HEAD, dipoles(at / HEAD.radius, TANGENT))[mag, 0]
    assert np.abs(gain - field).max() < 0.01 * np.abs(field).max()


def sarvas(r, r0, q):
    a = r - r0
    la, lr = np.linalg.norm(a), np.linalg.norm(r)
    f = la * (lr * la + lr**2 - r0 @ r)
    grad = (la**2 / lr + a @ r / la + 2 * la + 2 * lr) * r - (la + 2 * lr + a @ r / la) * r0
    return 1e-7 / f**2 * (f * np.cross(q, r0) - (np.cross(q, r0) @ r) * grad)


def test_fields_superpose():
    worn, head, _ = biosemi()
    where = np.array([[0.5, 0.1, 0.4], [-0.3, 0.2, 0.6]])
    along = np.array([unit(v) for v in ([1.0, 2.0, 0.0], [0.0, 1.0, 1.0])])
    both = eeg_gain(worn.position, head, dipoles(where, along)) @ [2.0, -3.0]
    one, two = (eeg_gain(worn.position, head, dipoles(where[i], along[i]))[:, 0] for i in range(2))
    assert np.allclose(both, 2 * one - 3 * two, rtol=1e-9, atol=0)


def test_the_recording_is_the_forward_solution_of_its_own_ground_truth():
    """EEG and MEG show the same sources: MNE, told only what the recording says, finds the same values."""
    config = SimulationConfig(
        montages=("easycap-M1",),
        meg=("neuromag306",),
        duration_s=4,
        reference="infinity",
        artefacts=CLEAN,
        activity=ActivityConfig(background_sources=20),
    )
    rec = simulate(config, seed=3)
    truth, moments = rec["sources"].channels, rec["sources"].read()
    dip = mne.Dipole(np.arange(len(truth)), truth.position, np.ones(len(truth)), truth.orientation, np.ones(len(truth)))
    eeg, facts = rec["eeg"], rec.info.facts
    names = list(eeg.channels.name)
    info = mne.create_info(names, 250.0, "eeg")
    centre = np.array(facts["head_centre"])
    outward = eeg.channels.position - centre
    on_sphere = centre + facts["head_radius"] * outward / np.linalg.norm(outward, axis=1, keepdims=True)
    places = dict(zip(names, on_sphere, strict=True))
    marks = {"nasion": [0, 0.1, 0], "lpa": [-0.08, 0, 0], "rpa": [0.08, 0, 0]}
    info.set_montage(mne.channels.make_dig_montage(places, coord_frame="head", **marks))
    sphere = mne.make_sphere_model(
        tuple(facts["head_centre"]), facts["head_radius"], sigmas=CONDUCTIVITY, verbose="error"
    )
    forward, _ = mne.make_forward_dipole(dip, sphere, info, verbose="error")
    expected = forward["sol"]["data"] @ moments
    assert np.abs(eeg.read() - expected).max() < 1e-3 * np.abs(expected).max()  # two fits of the sphere's expansion
    meg = rec["meg"]
    info = mne.channels.read_meg_canonical_info("neuromag", verbose="error")
    info["dev_head_t"] = mne.transforms.Transform("meg", "head", np.array(facts["dev_head_t"]))
    forward, _ = mne.make_forward_dipole(dip, sphere, info, verbose="error")
    expected = forward["sol"]["data"] @ moments
    for kind in ("mag", "grad_planar"):
        rows = np.array(meg.channels.sensor_type) == kind
        assert np.abs(meg.read()[rows] - expected[rows]).max() < 1e-4 * np.abs(expected[rows]).max()


@pytest.mark.parametrize("montage", cap_names())
def test_every_montage_fits_a_head_and_sees_the_hand_areas(montage):
    worn, head = put_on(cap(montage), 1.0, 0.002, generator(0))
    assert 0.09 < head.radius < 0.105
    sources = draw_sources(generator(1), 0)
    gain = eeg_gain(worn.position, head, sources)
    assert np.isfinite(gain).all()
    strongest = worn.position[np.abs(gain[:, :2]).argmax(axis=0)] - head.centre
    assert strongest[0, 0] < -0.02 < 0.02 < strongest[1, 0]  # left hand area on the left
    assert (strongest[:, 2] > 0).all()
    assert (worn.position[gain[:, -2:].argmax(axis=0), 1] > 0.04).all()  # blinks are frontal


@pytest.mark.parametrize(("montage", "count"), [("10-20", 19), ("10-10", 64), ("10-05", 335), ("biosemi16", 16)])
def test_caps_have_their_electrodes(montage, count):
    assert len(set(cap(montage).name)) == count
    assert len(np.unique(cap(montage).position.round(6), axis=0)) == count


def test_electrodes_lie_where_the_toolkit_looks_them_up():
    config = SimulationConfig(electrode_jitter_m=0, head_jitter=0, duration_s=2)
    channels = simulate(config)["eeg"].channels
    known = nkfm.from_mne(with_template(channels.name))["eeg"].channels
    assert np.abs(channels.position - known.position).max() < 1e-6  # MNE keeps places as float32


def with_template(names):
    info = mne.create_info(list(names), 250.0, "eeg")
    info.set_montage(mne.channels.make_standard_montage("colin27_1005"))
    return mne.io.RawArray(np.zeros((len(names), 1)), info, verbose="error")


KINDS = {
    "neuromag306": {"mag": 102, "grad_planar": 204},
    "ctf275": {"grad_axial": 274},
    "ctf151": {"grad_axial": 151},
    "kit157": {"grad_axial": 157},
}


@pytest.mark.parametrize("system", MEG_SYSTEMS)
def test_meg_has_the_geometry_of_its_system(system):
    rec = simulate(SimulationConfig(montages=(), meg=(system,), duration_s=4), seed=1)
    channels = rec["meg"].channels
    assert {k: channels.sensor_type.count(k) for k in set(channels.sensor_type)} == KINDS[system]
    assert channels.frame == "device"
    assert np.allclose(np.linalg.norm(channels.orientation, axis=1), 1, atol=1e-4)
    rot = channels.columns["rot"]
    assert np.allclose(rot @ rot.swapaxes(1, 2), np.eye(3), atol=1e-3)
    planar = np.array(channels.sensor_type) == "grad_planar"
    assert np.allclose(channels.orientation, np.where(planar[:, None], rot[:, 0], rot[:, 2]))
    motion = np.array(rec.info.facts["dev_head_t"])
    places = channels.position @ motion[:3, :3].T + motion[:3, 3] - rec.info.facts["head_centre"]
    gap = np.linalg.norm(places, axis=1) - rec.info.facts["head_radius"]
    assert gap.min() > 0.002  # the head is inside the helmet
    assert 0.015 < np.median(gap) < 0.045


def test_the_kit_helmet_is_that_of_the_real_recording():
    real = nkfm.datasets.load("kit-meg")()[0]["meg"].channels
    made = simulate(SimulationConfig(montages=(), meg=("kit157",), duration_s=2))["meg"].channels
    assert made.name == real.name
    assert np.allclose(made.position, real.position)
    assert np.allclose(made.orientation, real.orientation, atol=1e-6)
    assert set(made.columns["coil_type"]) == set(real.columns["coil_type"])


@pytest.mark.parametrize("size", [0.96, 1.04])
@pytest.mark.parametrize("system", MEG_SYSTEMS)
def test_the_smallest_and_the_largest_head_fit_into_every_helmet(system, size):
    for seed in range(5):
        worn, head = put_on(cap("10-05"), size, 0.0, generator(seed))
        info = sensors(worn, system, head, 250.0, generator(seed, 1))
        motion = info["dev_head_t"]["trans"]
        coils = np.array([ch["loc"][:3] for ch in info["chs"] if ch["ch_name"] not in worn.name])
        gap = np.linalg.norm(coils @ motion[:3, :3].T + motion[:3, 3] - head.centre, axis=1) - head.radius
        assert gap.min() > 0.001


def test_a_sphere_is_found_again():
    head = fit_head(HEAD.centre + HEAD.radius * np.array([unit(v) for v in generator(0).standard_normal((9, 3))]))
    assert np.allclose(head.centre, HEAD.centre)
    assert head.radius == pytest.approx(HEAD.radius)


def test_unknown_sensors_are_named():
    with pytest.raises(UnknownName, match="no electrode montage called 'biosemi63'. Did you mean 'biosemi64'"):
        simulate(SimulationConfig(montages=("biosemi63",)))
    with pytest.raises(UnknownName, match="no MEG system called 'ctf257'. Did you mean 'ctf275'"):
        nkfm.datasets.load("simulated")(SimulationConfig(meg=("ctf257",)))
    with pytest.raises(UnknownName, match="artinis-octamon"):  # optodes are no electrodes
        simulate(SimulationConfig(montages=("artinis-octamon",)))
