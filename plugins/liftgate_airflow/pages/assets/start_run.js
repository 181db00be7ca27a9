// Starts a run by Airflow's own REST API, in the name of whoever is logged in: Airflow decides whether they may, checks
// the params, and writes it to its audit log. Liftgate's pages themselves change nothing.
(() => {
  const ENDED = ["success", "failed"];
  const wait = (milliseconds) => new Promise((go) => setTimeout(go, milliseconds));

  const params = (form) => {
    const conf = {};
    for (const field of form.querySelectorAll("[name]")) {
      if (field.value === "") conf[field.name] = null;
      else conf[field.name] = field.dataset.type === "integer" ? Number(field.value) : field.value;
    }
    return conf;
  };

  const confirmed = (form, conf) => {
    const dialog = document.getElementById("confirm");
    dialog.querySelector("h2").textContent = form.querySelector("button").textContent.replace("…", "?");
    dialog.querySelector("p").textContent = form.dataset.ask;
    const list = dialog.querySelector("dl");
    list.replaceChildren();
    for (const [name, value] of Object.entries(conf)) {
      const term = document.createElement("dt");
      const what = document.createElement("dd");
      term.textContent = name.replace("_", " ");
      what.textContent = value ?? "all of it";
      list.append(term, what);
    }
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((answer) => {
      dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true });
    });
  };

  const ask = async (url, options) => {
    const answer = await fetch(url, options);
    const body = await answer.json().catch(() => ({}));
    if (answer.ok) return body;
    const detail = typeof body.detail === "string" ? body.detail : JSON.stringify(body.detail ?? body);
    throw new Error(`Airflow refused with ${answer.status}: ${detail}`);
  };

  const start = async (form, say) => {
    const conf = params(form);
    if (!(await confirmed(form, conf))) return;
    say("Starting…");
    const body = JSON.stringify({ logical_date: null, conf });
    const headers = { "Content-Type": "application/json" };
    let run = await ask(form.dataset.url, { method: "POST", headers, body });
    while (!ENDED.includes(run.state)) {
      say(`Run ${run.dag_run_id} is ${run.state}.`);
      await wait(2000);
      run = await ask(`${form.dataset.url}/${encodeURIComponent(run.dag_run_id)}`);
    }
    say(run.state === "success" ? "Done. Load the page again to see it." : `Run ${run.dag_run_id} failed: its log in Airflow says why.`);
  };

  for (const form of document.querySelectorAll("form.run")) {
    const button = form.querySelector("button");
    const say = (text) => { form.querySelector("output").textContent = text; };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      await start(form, say).catch((error) => say(error.message));
      button.disabled = false;
      button.focus();
    });
  }
})();
