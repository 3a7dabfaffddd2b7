from reporting.schedule import beat_schedule


def test_every_entry_names_a_task_of_this_app_once() -> None:
    tasks = [entry["task"] for entry in beat_schedule.values()]

    assert len(tasks) == len(set(tasks))
    assert all(str(task).startswith("reporting.") for task in tasks)
