// Before anything else is loaded: where chunks and fonts lie. The page says it.
const config = JSON.parse(document.getElementById("jupyter-config-data").textContent);
__webpack_public_path__ = `${config.fullStaticUrl}/`;
