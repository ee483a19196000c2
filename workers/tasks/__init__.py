"""The tasks: each is an async function of a Job, made a Task by `@task`, and named in workers/subscriptions.py.

How to add one:

    @task(timeout_seconds=None)                # for hours; 60 s where nothing is said
    async def run_import(job: Job) -> None:
        import_id = UUID(job.arguments["import_id"])
        ...
        async with job.finishing():            # one transaction: what the task changes, and the row's done mark
            ...

It runs because an event happened (SUBSCRIPTIONS; then `job.subject_ids` and `job.event_ids` say of what), because a
night came (NIGHTLY), or because an operation wrote its row within its own transaction (SCHEDULED):

    await jobs.schedule("run_import", arguments={"import_id": row.id}, workspace_id=row.workspace_id,
                        queue=Queue.BULK, due_at=now, now=now)

A task runs at least once and may run twice, so it says by what key a repetition does nothing. What it changes
belongs into `job.finishing()`: if another worker has taken the job since, that block is undone by JobLost. Long
work that commits in chunks does so before, by a key of its own (an import by its next row), and ends with an empty
`finishing` block. Any other exception is put into the row's `last_error` and the job is tried again after a pause,
`max_attempts` times; `GiveUp` ends it at once. A killed worker's job runs again within ten seconds. CPU work goes
through `asyncio.to_thread`, since a loop that stands still for five seconds loses its leases.

`batch=True` gives one job many events of one kind of subject (`job.subject_type`, `job.subject_ids`), otherwise
there is a job per event. Events whose data says `"bulk": true` go into the bulk queue. With `gathers=0.4` the job
begins that many seconds later, and what happens to its subjects until then needs no other one.
"""
