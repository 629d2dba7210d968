import neurokit_fm as nkfm

rec = nkfm.read("sub-01_task-rest_eeg.edf")
model = nkfm.load_model("nkfm-tiny")  # a folder, a name from `nkfm list weights`, or "owner/name@revision"
for problem in model.contract.check(rec):
    print(problem)
emb = nkfm.embed(model, rec)  # values (windows, width), times (windows, 2) in seconds
emb.save("sub-01.h5")
