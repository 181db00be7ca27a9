// Follows what was chosen in Airflow's own pages, which are of the same origin; else the system's preference holds.
(() => {
  const follow = () => {
    const chosen = localStorage.getItem("theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
  };
  follow();
  addEventListener("storage", follow);
})();
