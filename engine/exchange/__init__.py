"""Other tools' runs in, ours out: takes folders and files of MLflow, W&B, TensorBoard, Neptune; gives experiments here.

What comes in lies as job folders and a submission like everything else, so that every command knows it; it is marked as
imported, has no provenance of ours, and is compared with nothing. No client of any of these tools is needed.

    foreign            a run of another tool, and its values
    wire               Protocol Buffers and record frames as bytes
    mlflow_folder      an mlruns folder
    mlflow_database    an mlflow.db
    tensorboard_files  event files
    wandb_folder       offline runs of W&B
    neptune_parquet    what neptune-exporter writes
    places             which arm, cell and seed a foreign run is here
    folders            a foreign run as a job folder
    importing          an import from its beginning to its end
    leaving            the runs of an experiment, on their way out
    to_mlflow          an mlruns folder of ours
    to_tensorboard     event files of ours
    to_wandb           offline runs of ours
    exporting          an export from its beginning to its end
"""
