// Firefox's name for what Chromium calls `chrome`.

declare var browser: typeof chrome | undefined;
