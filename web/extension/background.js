// Browsers forget the scripts of an extension that they update.

import { browserApi, keepAllowed, register } from "./sites.js";

browserApi.runtime.onInstalled.addListener(register);
browserApi.permissions.onRemoved.addListener(keepAllowed);
