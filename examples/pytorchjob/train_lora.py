"""A DAG of your own around a PyTorchJob of your own: nothing else of Liftgate is needed."""

from airflow.sdk import DAG

from liftgate_airflow.operators.pytorchjob import PyTorchJobOperator

with DAG("train_lora", schedule=None, default_args={"retries": 2}) as dag:
    PyTorchJobOperator(
        task_id="train",
        manifest="train_lora.yaml",  # beside this file, and a template: {{ ds }}, {{ params.x }}
        deadline_seconds=2 * 3600,
        permanent_exit_codes=[2, 3],  # by which the trainer says that a retry cannot help
    )
